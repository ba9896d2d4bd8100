# Two commands are enough: `make run` and `make test`. The rest is for people who change things.
# Each target is a thin door to a script that can also be run by itself.

.PHONY: run test check gen bench setup help

help:            ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 10

run:             ## build and start Crosspoint with a demo tenant
	@scripts/run

test:            ## all that must hold before a change is merged
	@scripts/test

check:           ## the quick part: format, lints, tidy, licences
	@scripts/check

gen:             ## make the generated files anew (OpenAPI)
	@scripts/gen

bench:           ## measure against the peers; ROW=bridge_cps measures one row
	@scripts/bench $(ROW)

setup:           ## install what is missing (run and test do it by themselves)
	@scripts/setup
