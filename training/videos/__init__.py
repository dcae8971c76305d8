"""Videos as a stream of pictures and sound: decoding, pairs, and a small generated corpus."""
