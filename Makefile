# Everything is done by the scripts; this file names the ways in. GNU make 3.81 (macOS) reads it.
#   DEVICE=cpu|gpu|auto       the TensorFlow to install: for the processor, for CUDA, by what the machine has (default)
#   TENSORFLOW_DIR=FOLDER     a libtensorflow of your own instead
#   TFJS_SERVING_CACHE=FOLDER where downloads and compiled code are kept (default: ~/.cache/tfjs-serving)
# These may be set in the environment or on the command line of make, which hands them on.

NODE = node
ARGS =
SECONDS = 300

.PHONY: help install serve build pack test test-changed check soak fuzz fuzz-operations bench bench-quick bench-against bench-workers bench-hostile bench-peers bench-overload bench-growth bench-engine bench-reload bench-reload-memory bench-handler-memory bench-clients lint format models digits picture clean distclean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-26s %s\n", $$1, $$2 }'

install: ## fetch and compile what is missing; nothing the second time
	@$(NODE) scripts/install.js

serve: ## install, then serve: make serve ARGS="--model-path DIR --port 0"
	@$(NODE) scripts/install.js --quiet && exec $(NODE) dist/main.js serve $(ARGS)

build: install ## the same as install: compile src/ and native/ if they changed

pack: ## a package for npm of this checkout: tfjs-serving-VERSION.tgz
	@npm pack --ignore-scripts=false $(ARGS)

test: install ## all tests; NODES="20 26" says under which versions of Node.js
	@$(NODE) scripts/test.js

test-changed: install ## a first look: test files that changed, that import a change, or start a server of the changed part; BASE=COMMIT
	@$(NODE) scripts/test-changed.js

check: install ## the fast part of the tests: style, types, layers, documents, warnings
	@$(NODE) scripts/test.js --fast

soak: install ## five minutes of reloads under traffic, every answer checked; SOAK_SECONDS, SOAK_SEED
	@SOAK_SECONDS=$${SOAK_SECONDS:-300} $(NODE) node_modules/vitest/vitest.mjs run test/soak

fuzz: install ## five minutes of good bodies, slightly changed, in process and over HTTP; SECONDS, FUZZ_SEED
	@FUZZ_SECONDS=$(SECONDS) $(NODE) node_modules/vitest/vitest.mjs run test/hostile/fuzz.test.ts

fuzz-operations: install ## five minutes of odd inputs for operations, to see which end the process; SECONDS, FUZZ_SEED
	@FUZZ_OPERATIONS_SECONDS=$${SECONDS:-300} $(NODE) node_modules/vitest/vitest.mjs run test/operations/hazards.test.ts test/hostile/operations.test.ts --maxWorkers=1

bench: install ## requests per second and latency beside their limits (wrk must be there), then bench-clients
	@$(NODE) scripts/bench.js throughput
	@$(NODE) scripts/bench.js clients

bench-quick: install ## the same in a minute, for the smallest models
	@$(NODE) scripts/bench.js throughput --models null,mlp --connections 1,64 --rounds 2 --seconds 1

bench-hostile: install ## what hostile requests do to others: the longest wait, the most memory
	@HOSTILE_FIGURES=1 $(NODE) node_modules/vitest/vitest.mjs run test/hostile/hostile.test.ts

bench-overload: install ## 1, 2 and 4 times the requests that the server can answer
	@$(NODE) scripts/bench.js overload

bench-against: install ## this server beside another checkout's: make bench-against ARGS="--other FOLDER" (wrk must be there)
	@$(NODE) scripts/bench.js against $(ARGS)

bench-workers: install ## one, two and four workers: requests per second, latency, batches, memory (wrk must be there)
	@$(NODE) scripts/bench.js workers $(ARGS)

bench-growth: install ## what a request costs by batch size, number of models, number of connections (wrk must be there)
	@$(NODE) scripts/bench.js growth

bench-peers: install ## beside Flask, LitServe, mosec, KServe and Triton, which install themselves
	@$(NODE) scripts/bench.js peers $(ARGS)

bench-engine: install ## what --xla, --mixed-precision and int8 weights give for the benchmarks' models
	@$(NODE) scripts/bench.js engine-options

bench-reload: install ## what a small model's requests notice while a large one is reloaded
	@$(NODE) scripts/bench.js reload

bench-handler-memory: install ## memory over 200 reloads of a handler, with a plot
	@$(NODE) scripts/bench.js handler-memory

bench-reload-memory: install ## memory over 200 reloads of a 200 MB model and 10 of a 1 GB one, with a plot
	@$(NODE) scripts/bench.js reload-memory

bench-clients: install ## what a call of the TypeScript and the Python client costs over a bare one
	@$(NODE) scripts/bench.js clients

lint: install ## style alone
	@$(NODE) node_modules/@biomejs/biome/bin/biome check .

format: install ## put every file into the style
	@$(NODE) node_modules/@biomejs/biome/bin/biome check --write .

models: install ## make the demo and test models again (fetches Python TensorFlow)
	@$(NODE) scripts/models.js

digits: install ## train the digit classifiers of examples/digits again (fetches Python TensorFlow and scikit-learn)
	@$(NODE) scripts/digits.js $(ARGS)

picture: install ## drop versions into a server under load, and draw what its clients saw (docs/figures/drop.svg)
	@$(NODE) scripts/docs/picture.js

clean: ## delete what was compiled
	@$(NODE) scripts/clean.js

distclean: ## delete node_modules and the cache as well
	@$(NODE) scripts/clean.js --all
