#!/usr/bin/env bash
# No name of asyncio is claimed without a declaration and a test that uses it.
# ctest: timeout=30
exec python3 "$WEFT_SOURCE_DIR/tools/asyncio_parity.py" --check
