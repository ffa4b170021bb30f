"""Errors of shards that others tell apart, without TensorFlow."""


class DiskFullError(OSError):
    """The disk is full. What was written by then is complete, and the run can be resumed.

    Example:

        >>> try:
        ...     uae.generate_shards(attack, x_train, "uaes", resume=True)
        ... except DiskFullError as error:
        ...     print(error)
    """


class ManifestError(ValueError):
    """A manifest that is damaged, or belongs to another run (`OtherRunError`) than was asked for.

    Example:

        >>> try:
        ...     uae.generate_shards(attack, x_train, "uaes", seed=1, resume=True)
        ... except ManifestError as error:  # it holds the run of another seed, say
        ...     print(error)
    """


class OtherRunError(ManifestError):
    """A directory that holds another run than the one that was asked for, or none at all."""


class ClusterTooSmallError(ValueError):
    """The cluster has not the cores or the GPUs that are asked for, and would wait for them."""
