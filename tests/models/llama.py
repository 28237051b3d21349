"""Runs a library that calls llama.cpp: llama.py LIBRARY. The module of xllamacpp is llama.cpp, for those who find its symbols."""
import ctypes
import os
import sys

sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
import server  # noqa: E402  the flags come before xllamacpp is loaded

run = ctypes.CDLL(os.path.abspath(sys.argv[1])).llama_generations
run.argtypes, run.restype = [ctypes.c_char_p], ctypes.c_int
sys.exit(run(server.model_file().encode()))
