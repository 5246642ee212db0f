"""async-batch-llm and LiteLLM, in an environment of their own: `peers.py NAME TASK`.

Runs without amx-kimi; what a task's `settings` say goes to the library's own configuration.
"""

# mypy: ignore-errors
# (the libraries are not installed where mypy runs)
import asyncio
import json
import sys
import time


def async_batch_llm(task):
    """`process_prompts` with a `ProcessorConfig`; prompt and maximum are counted as tokens."""
    from async_batch_llm import (
        ProcessorConfig,
        RateLimitConfig,
        RetryConfig,
        llm,
        process_prompts,
    )
    from async_batch_llm.token_estimation import CharacterTokenEstimator

    settings = dict(task["settings"])
    if "rate_limit" in settings:
        settings["rate_limit"] = RateLimitConfig(**settings["rate_limit"])
    if "retry" in settings:
        settings["retry"] = RetryConfig(**settings["retry"])
    if "max_tokens_per_minute" in settings:
        settings["token_estimator"] = CharacterTokenEstimator(
            expected_output_tokens=task["max_tokens"]
        )
    model = llm(
        f"openai-compatible:{task['model']}",
        base_url=task["url"],
        api_key=task["key"],
        generation_config={"max_completion_tokens": task["max_tokens"]},
    )
    prompts = [task["prompt"].replace("{}", str(number)) for number in range(task["prompts"])]

    async def run():
        return await process_prompts(model, prompts, config=ProcessorConfig(**settings))

    batch = asyncio.run(run())
    return sum(1 for result in batch.results if result.success)


def litellm(task):
    """`litellm.batch_completion`, a thread a request."""
    import litellm as library

    prompts = [task["prompt"].replace("{}", str(number)) for number in range(task["prompts"])]
    answers = library.batch_completion(
        model=f"openai/{task['model']}",
        messages=[[{"role": "user", "content": prompt}] for prompt in prompts],
        api_base=task["url"],
        api_key=task["key"],
        max_completion_tokens=task["max_tokens"],
        **task["settings"],
    )
    return sum(1 for answer in answers if not isinstance(answer, Exception))


def litellm_stream(task):
    """One streamed request after another."""
    import litellm as library

    async def run():
        answered = 0
        for number in range(task["prompts"]):
            stream = await library.acompletion(
                model=f"openai/{task['model']}",
                messages=[{"role": "user", "content": task["prompt"].replace("{}", str(number))}],
                api_base=task["url"],
                api_key=task["key"],
                max_completion_tokens=task["max_tokens"],
                stream=True,
            )
            text = ""
            async for chunk in stream:
                text += chunk.choices[0].delta.content or "" if chunk.choices else ""
            answered += bool(text)
        return answered

    return asyncio.run(run())


def main():
    """Import, do the task, print the figures; importing is not counted."""
    name, task = sys.argv[1], json.loads(sys.argv[2])
    for module in (name.removesuffix("_stream"), "openai", "httpx"):  # some import at first use
        __import__(module)
    begun, cpu = time.perf_counter(), time.process_time()
    answered = {
        "async_batch_llm": async_batch_llm,
        "litellm": litellm,
        "litellm_stream": litellm_stream,
    }[name](task)
    figures = {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
    print(json.dumps({**figures, "answered": answered}))


if __name__ == "__main__":
    main()
