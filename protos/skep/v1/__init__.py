"""Version 1 of the protocol: .proto files and what protoc makes of them."""
