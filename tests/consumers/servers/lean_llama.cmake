# Included when llama.cpp is configured: what its Python package builds and never uses.
set(LLAMA_BUILD_COMMON OFF)
