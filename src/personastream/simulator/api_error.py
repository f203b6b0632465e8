"""A request of a kind other than chat that is refused."""


class ApiError(Exception):
    """Status and words for the client."""

    def __init__(self, status: int, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param = status, message, param
