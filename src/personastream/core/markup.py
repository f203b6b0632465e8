"""What of markup may be left in a text: web addresses, HTML tags, control tokens of chat templates. Pure."""

import re

_TAGS = r"""
    </?(?: a | article | audio | b | big | blockquote | body | br | button | center | code | dd | div | dl | dt | em
        | embed | font | footer | form | h[1-6r] | head | header | html | i | iframe | img | input | label | li | link
        | main | meta | nav | noscript | object | ol | option | p | path | pre | q | s | script | section | select
        | small | span | strike | strong | style | sub | sup | svg | table | tbody | td | textarea | tfoot | th
        | thead | title | tr | tt | u | ul | video )(?:\s[^<>]*)?/?>
    | <!--
    | <!doctype\s
"""
"""Tags are listed, so that "List<String>" or "<3" is no markup."""
_TOKENS = r"""
    <[|｜][^<>|｜]{1,64}[|｜]>
    | \[/?INST\]
    | <</?SYS>>
    | <(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>
"""
"""Of the ChatML, Llama 2 to 4, Mistral, Gemma, Phi and DeepSeek (with its full-width bar) chat templates."""

MARKUP = re.compile(f"https?:// | {_TAGS} | {_TOKENS}", re.IGNORECASE | re.VERBOSE)
TAGS = re.compile(_TAGS, re.IGNORECASE | re.VERBOSE)
CONTROL_TOKENS = re.compile(
    rf"""{_TOKENS} | </?s> | \[/?(?:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]
    | (?:^|\n)\s*(?:\#{{2,3}}\ ?(?:instruction|response|system|human|assistant)|(?:human|assistant|system))\ ?:""",
    re.IGNORECASE | re.VERBOSE,
)
"""With the names of speakers that older templates write as words at the beginning of a line."""
