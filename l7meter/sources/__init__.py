"""Bytes: files, directories, globs and standard input, decompressed."""
