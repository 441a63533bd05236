"""FastAPI on uvicorn with hijack, streams and Docker's error bodies."""
