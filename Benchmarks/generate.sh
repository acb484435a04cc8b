#!/usr/bin/env bash
# Writes the generated Swift code anew from Protos/. Needs protoc (Debian: protobuf-compiler).
set -euo pipefail
cd "$(dirname "$0")"
swift build -c release --product protoc-gen-swift
swift build -c release --product protoc-gen-grpc-swift-2
plugins=$(swift build -c release --show-bin-path)
protoc --proto_path=Protos --plugin="$plugins/protoc-gen-swift" \
  --swift_out=Sources/CodecMessages --swift_opt=Visibility=Public --swift_opt=UseAccessLevelOnImports=true codec.proto
protoc --proto_path=Protos --plugin="$plugins/protoc-gen-swift" \
  --swift_out=Sources/EchoService --swift_opt=Visibility=Public --swift_opt=UseAccessLevelOnImports=true echo.proto
protoc --proto_path=Protos --plugin="$plugins/protoc-gen-grpc-swift-2" \
  --grpc-swift-2_out=Sources/EchoService --grpc-swift-2_opt=Visibility=Public,UseAccessLevelOnImports=true echo.proto
