"""A llama of two small layers with random weights, as a GGUF file: real inference in a millisecond a token.

It speaks in printable ASCII at random. One dimension of the embedding is the same for all tokens and passes through
all layers, so the output layer can favour letters over bytes and control tokens by it.

python -m tests.servers.tiny_llama FILE CONTEXT_TOKENS, in an environment that has the package gguf
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEADS, HIDDEN, LAYERS = 32, 2, 64, 2
FAVOUR, END_FAVOUR = 3.0, 3.3
"""Of letters over bytes, and of the end of a reply: that comes after some ten tokens, or not in time."""

UNKNOWN, START, END = 0, 1, 2
TYPE_NORMAL, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_BYTE = 1, 2, 3, 6
CHAT_TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"


def write_tiny_llama(path: Path, context_tokens: int, seed: int = 1) -> None:
    """Write the model. One character is one token, or a few if it is not ASCII."""
    writer = import_module("gguf").GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    types = _vocabulary(writer)
    for name, weights in _weights(types, np.random.default_rng(seed)).items():
        writer.add_tensor(name, weights.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _vocabulary(writer: Any) -> list[int]:
    """Control tokens, all bytes, then ASCII; returns the types."""
    letters = ["▁", *map(chr, range(33, 127))]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    types = [TYPE_UNKNOWN, TYPE_CONTROL, TYPE_CONTROL, *[TYPE_BYTE] * 256, *[TYPE_NORMAL] * len(letters)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_bos_token_id(START)
    writer.add_eos_token_id(END)
    writer.add_chat_template(CHAT_TEMPLATE)
    return types


def _weights(types: list[int], rng: np.random.Generator) -> dict[str, Any]:
    """Tensors by their names in a GGUF file, each of shape (out, in)."""
    embedding = rng.normal(0, 0.5, (len(types), WIDTH))
    embedding[:, 0] = 4.0
    output = rng.normal(0, 0.2, (len(types), WIDTH))
    output[:, 0] = np.where(np.array(types) == TYPE_NORMAL, FAVOUR, -FAVOUR)
    output[END, 0] = END_FAVOUR
    weights = {"token_embd.weight": embedding, "output.weight": output, "output_norm.weight": np.ones(WIDTH)}
    shapes = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH))
    shapes |= {"ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN)}
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            drawn = rng.normal(0, 0.1, shape)
            if name in ("attn_output", "ffn_down"):
                drawn[0] = 0.0
            weights[f"blk.{layer}.{name}.weight"] = drawn
        weights |= {f"blk.{layer}.{name}.weight": np.ones(WIDTH) for name in ("attn_norm", "ffn_norm")}
    return weights


if __name__ == "__main__":
    write_tiny_llama(Path(sys.argv[1]), int(sys.argv[2]))
