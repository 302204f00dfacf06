"""What the Python client adds to a call: latency and processor time beside bare keep-alive HTTP calls of the same bytes.

    python bench/clients.py http://127.0.0.1:50000

wants a server on saved_models and an environment with the client. The ways take turns, round by round; the table has
medians over the calls, and the processor time of this process per call.
"""

import asyncio
import http.client
import statistics
import sys
import time
from urllib.parse import urlsplit

import httpx
import numpy as np

from tfjs_serving_client import AsyncClient, Client, decode, dict_to_binary

ROUNDS, SECONDS = 5, 1.0
HEADERS = {"content-type": "application/cbor"}
INPUTS = {
    "half_plus_two": {"x": np.array([1, 2, 5], np.float32)},
    "policy": {"state": np.zeros((1, 6), np.float32), "image": np.zeros((1, 480, 640, 3), np.uint8)},
}


async def main(url):
    parts = urlsplit(url)
    bare = http.client.HTTPConnection(parts.hostname, parts.port)
    plain = httpx.Client(base_url=url)
    client = Client(url)
    async_client = AsyncClient(url)

    for model, inputs in INPUTS.items():
        path = f"/models/{model}/infer"
        body = dict_to_binary({"inputs": inputs})

        async def by_http_client():
            bare.request("POST", path, body, HEADERS)
            bare.getresponse().read()

        async def by_httpx():
            plain.post(path, content=body, headers=HEADERS).raise_for_status()

        async def by_client():
            client.infer(inputs, model=model)

        async def by_async_client():
            await async_client.infer(inputs, model=model)

        async def by_codec():
            decode(dict_to_binary({"inputs": inputs}))

        ways = {
            "encode and decode the request, no call": by_codec,
            "http.client, bytes": by_http_client,
            "httpx, bytes": by_httpx,
            "Client": by_client,
            "AsyncClient": by_async_client,
        }
        latencies = {way: [] for way in ways}
        processor = dict.fromkeys(ways, 0.0)
        for _ in range(ROUNDS):
            for way, call in ways.items():
                await call()
                cpu, end = time.process_time(), time.perf_counter() + SECONDS
                while (start := time.perf_counter()) < end:
                    await call()
                    latencies[way].append(time.perf_counter() - start)
                processor[way] += time.process_time() - cpu
        print(f"\n{model}, {len(body):,} bytes")
        for way, times in latencies.items():
            median, cpu = statistics.median(times) * 1e3, processor[way] / len(times) * 1e3
            print(f"  {way:<40} {median:7.3f} ms   {cpu:7.3f} ms of processor   {len(times):7,} calls")
    await async_client.close()


asyncio.run(main(*sys.argv[1:]))
