"""The cluster's objects as the managers keep them: API specs, and what the API does not show."""
