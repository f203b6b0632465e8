"""Programs of strangers, in interpreters of their own that can compute and nothing else.

Law: what confines them is the kernel, and it is set before their first instruction. A machine that cannot confine
them runs none.
"""
