"""Numbers that the compiled and the numpy kernels share. They define the hashes: changing one changes all bits."""

import numpy as np

ALL_BITS = np.uint64(0xFFFF_FFFF_FFFF_FFFF)

# Word hashes: the constants of wyhash (Wang Yi, 2019), each with 32 bits set. A block ^ BLOCK_FACTOR is
# never 0, which would lose its other half: the lowest byte of BLOCK_FACTOR is a slash, and that is in no word.
BLOCK_FACTOR = np.uint64(0xA076_1D64_78BD_642F)
BLOCK_BEGIN = np.uint64(0xE703_7ED1_A0B4_28DB)
END_FLIP = np.uint64(0x8EBC_6AF0_9C88_C6E3)
END_FACTOR = np.uint64(0x5899_65CC_7537_4CC3)

# Pairs of adjacent words, and the second 64 bits of 128: constants of wyhash, version 4, each with 32 bits set.
PAIR_FLIP_1 = np.uint64(0x2D35_8DCC_AA6C_78A5)
PAIR_FLIP_2 = np.uint64(0x8BB8_4B93_962E_ACC9)
SECOND_FLIP = np.uint64(0x4B33_A62E_D433_D4A3)
SECOND_FACTOR = np.uint64(0x4D5A_2DA5_1DE1_AA47)

SKETCH_BITS_2 = 56  # of the second sketch; the 8 above hold the number of distinct words
SKETCH_SIZE_MAX = 255

NGRAM_BASE = np.uint64(0x9E37_79B9_7F4A_7C15)
"""Keys of n-grams are polynomials in it: 2^64 divided by the golden ratio, odd."""
