#!/bin/sh
# Generates this module's sources again; see bindings/generate-bindings.sh for what it needs.
exec "$(dirname "$0")/../generate-bindings.sh" faiss faiss PanvecFaiss Faiss
