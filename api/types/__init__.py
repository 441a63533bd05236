"""The API's objects as msgspec Structs: the one model of the API."""
