"""How long a training still takes, as the part of it that was done here tells."""

# Of training; before that the first steps, which fill the caches, would say too much.
LEAST_SECONDS = 0.5


class TimeLeft:
    """Seconds that are left, of a training that began, or was taken up again, just now.

    Steps are timed apart from what comes between epochs (evaluating, saving), so that neither
    counts twice where an epoch is half over. What was done before this call is not counted, and
    neither is the time until the first step, in which workers are started.

    epochs: in all.  done: of them, before this call.
    """

    def __init__(self, epochs: int, done: int) -> None:
        self._epochs = epochs
        self._began_at = done
        self._done = float(done)
        self._time: float | None = None
        self._training = 0.0  # seconds, and the epochs that were done in them
        self._trained = 0.0
        self._between = 0.0  # seconds between epochs, and how many epochs they are of
        self._evaluated = 0.0

    def step(self, done: float, now: float) -> None:
        """Note a step, after which so many epochs are done."""
        if self._time is not None:
            self._training += now - self._time
            self._trained += done - self._done
        self._done, self._time = done, now

    def epoch(self, now: float) -> None:
        """Note that the epoch is evaluated and saved."""
        if self._time is not None:
            self._between += now - self._time
            self._evaluated = self._done - self._began_at
            self._time = now

    @property
    def per_epoch(self) -> float | None:
        """Seconds an epoch; None while nothing is known."""
        if self._training < LEAST_SECONDS or not self._trained:
            return None
        between = self._between / self._evaluated if self._evaluated else 0.0
        return self._training / self._trained + between

    @property
    def seconds(self) -> float | None:
        """Until the last epoch is over; None while nothing is known."""
        per_epoch = self.per_epoch
        return None if per_epoch is None else per_epoch * (self._epochs - self._done)


def clock(seconds: float) -> str:
    """Return a time as 0:07, 12:30 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
