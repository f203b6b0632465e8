"""What of markup may be left in a text: web addresses, HTML tags, control tokens of chat templates. Pure."""

import re

MARKUP = re.compile(
    r"""
    https?://
    | </?(?: a | article | audio | b | big | blockquote | body | br | button | center | code | dd | div | dl | dt | em
        | embed | font | footer | form | h[1-6r] | head | header | html | i | iframe | img | input | label | li | link
        | main | meta | nav | noscript | object | ol | option | p | path | pre | q | s | script | section | select
        | small | span | strike | strong | style | sub | sup | svg | table | tbody | td | textarea | tfoot | th
        | thead | title | tr | tt | u | ul | video )(?:\s[^<>]*)?/?>
    | <!--
    | <!doctype\s
    | <[|｜][^<>|｜]{1,64}[|｜]>
    | \[/?INST\]
    | <</?SYS>>
    | <(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Tags are listed, so that "List<String>" or "<3" is no markup. The control tokens are those of the ChatML, Llama 2 to
4, Mistral, Gemma, Phi and DeepSeek (with its full-width bar) chat templates."""
