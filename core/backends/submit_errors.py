"""The table of what each error of a submission means: whether it passes, and what to change if it does not.

Sources, read for Slurm 20.11 to 26.05: the texts are those of `slurm_errtab` in Slurm's src/common/slurm_errno.c, the
reasons those of src/common/job_state_reason.c (before 23.02: src/common/slurm_protocol_defs.c); which of them a
submission returns is decided by src/slurmctld/job_mgr.c, acct_policy.c and proc_req.c. sbatch prints a text after
"Batch job submission failed: ". The texts are the same in every locale. tests/unit/backends/test_submit_errors.py
compares the table with the texts in the installed libslurm.

Only limits on the number of jobs and outages pass. What other errors mean for a job follows from the reason that is
printed before them (POLICY), or is not known (UNKNOWN).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class ErrorClass(Enum):
    """What an error means for a submission."""

    LIMIT = "temporary: a limit on the number of jobs"
    OUTAGE = "temporary: the job was not accepted, because of an outage"
    SILENCE = "temporary: the answer is missing, so the job may have been accepted"
    DEPENDENCY = "temporary, if the job depends on jobs of the study: one of them has just ended"
    POLICY = "depends on the reason that Slurm prints before it"
    PERMANENT = "permanent: the same job will never be accepted"
    UNKNOWN = "unknown: a few further tries show whether it passes"


@dataclass(frozen=True, slots=True)
class SubmitError:
    """The class of an error, and what to change in the study if it is permanent."""

    error_class: ErrorClass
    hint: str = ""


_PLACE = "choose another 'queue'"
_ACCOUNT = "correct 'bank', or 'bank' and 'queue' together"
_SIZE = "request less: 'nodes', 'procs', 'cores per task', 'mem' or 'gpus'; or choose another 'queue'"
_TIME = "shorten 'walltime', or choose another 'queue' or 'qos'"
_GPUS = "correct 'gpus', or the options for gres in 'sbatch'"
_RESERVATION = "correct 'reservation'"
_FEATURE = "correct 'constraint'"
_OPTION = "correct the options under 'sbatch' or in the #SBATCH lines"
_SITE = "ask the site's support"

_OF_CLASS: dict[ErrorClass, tuple[str, ...]] = {
    ErrorClass.LIMIT: ("MaxJobCount limit reached",),  # since 23.11; EAGAIN before
    ErrorClass.OUTAGE: (
        # Not sent.
        "Unable to contact slurm controller (connect failure)",
        "Communication connection failure",
        "Connection timed out establishing",
        "Can't find an address, check slurm.conf",
        "Unexpected missing socket error",
        "Connection refused",
        "No route to host",
        "Network is unreachable",
        "Host is down",
        "Too many open files",
        "Too many open files in system",
        "Cannot allocate memory",
        # Answered by a controller that does not work for now.
        "Rate limit exceeded, please retry momentarily",
        "Rate limit exceeded, please retry later",
        "Slurm backup controller in standby mode",
        "Controller is in standby mode, try a different controller",
        "I/O error writing script/environment to file",
        "No space left on device",
        "Disk quota exceeded",
        "Unable to create job record, try again",
        "System submissions disabled",
        "Requested operation is presently disabled",
        "Required partition not available (inactive or drain)",
        "Partition in DOWN state",
        "Slurm internal error, contact system administrator",
        "Error generating job credential",
        "Unable to connect to database",
        "Database connection reference is invalid",
        "Job locked by another sibling",
        "Incompatible versions of client and server code",  # while the site updates Slurm
        # The controller's or the login node's name service or authentication does not work. sbatch takes the ids
        # from the process, so no study can have a wrong one.
        "Invalid user id",
        "Invalid group id",
        "Invalid user ID",
        "Invalid group ID",
        "Unable to resolve user ID to user name",
        "Unable to resolve group ID to group name",
        "Invalid authentication credential",
        "Authentication credential invalid",
        "Authentication credential expired",
        "Failed to connect to authentication agent",
        "Failed to open authentication public key",
        "Cannot unpack credential",
        "Token Generation failed.",
        "Authentication failure",
        "TLS missing but required for connection",
    ),
    ErrorClass.SILENCE: (
        "Unable to contact slurm controller",
        "Unable to contact slurm controller (send failure)",
        "Unable to contact slurm controller (receive failure)",
        "Unable to contact slurm controller (shutdown failure)",
        "Protocol authentication error",  # also if the answer cannot be verified
        "Socket timed out on send/recv operation",
        "Zero Bytes were transmitted or received",
        "Header lengths are longer than data received",
        "Received zero length message",
        "Received message length < 0",
        "Failed to send entire message",
        "Unexpected message received",
        "Message send failure",
        "Message receive failure",
        "Communication shutdown failure",
        "Connection rejected by handler",
        "Connection forced closed by quiesce timeout",
        "Connection timed out writing",
        "Connection timed out reading",
        "Kernel reported delayed socket error after successful write(), client side likely closed",
        "Process is shutting down and closing all communications",
        "Unable to process incoming file descriptor",
        "Unable to process outgoing file descriptor",
        "Unable to process incoming and outgoing file descriptors",
        "Read would block",
        "Write would block",
        "Operation now in progress",
        "Resource temporarily unavailable",  # EAGAIN: the controller has MaxJobCount jobs, or a read ended early
        "Connection reset by peer",
        "Connection timed out",
        "Software caused connection abort",
        "Broken pipe",
        "Transport endpoint is not connected",
        "Transport endpoint is already connected",
        "Network dropped connection on reset",
        "Interrupted system call",
        "Input/output error",
    ),
    ErrorClass.DEPENDENCY: ("Job dependency problem",),
    ErrorClass.POLICY: ("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",),
    ErrorClass.UNKNOWN: (
        "Unspecified error",  # also what a job_submit plugin returns that refuses a job
        "No error",  # what sbatch prints if it cannot resolve the controller's host name
        "Success",
        "Unknown negative error number",
        "Insane message length",
        "Plugin initialization failed",
        "Requested nodes are busy",  # this and the next ones: of jobs that have to start at once
        "Licenses currently unavailable",
        "Requested reservation is in use",
        "Requested reservation not usable now",
        "Required node not available (down, drained or reserved)",
        "Job can not start due to maintenance reservation.",
        "Waiting for burst buffer",
        "Max powered up nodes reached",
    ),
}

# What to change: the errors that are permanent.
_PERMANENT: dict[str, tuple[str, ...]] = {
    "correct 'queue'": (
        "Invalid partition name specified",
        "No partition specified or system default partition",
        "Multiple partition job request not supported when a partition is set in the association",
    ),
    _PLACE: (
        "User's group not permitted to use this partition",
        "Requested nodes not in this partition",
        "Requested partition configuration not available now",  # its limits, if EnforcePartLimits is set
    ),
    _ACCOUNT: (
        "Invalid account or account/partition combination specified",
        "Invalid or unknown association",
    ),
    "correct 'qos'": (
        "Invalid qos specification",
        "Invalid QOS specification, relative QOS can only be used in a single partition per cluster.",
        "Requested account has breached requested QOS usage threshold",
    ),
    "correct 'bank', 'queue', 'qos' or 'reservation': one of them is not open to you": ("Access/permission denied",),
    _SIZE: (
        "More processors requested than permitted",
        "Node count specification invalid",
        "Job size specification needs to be provided",
        "Requested node configuration is not available",
        "Requested topology configuration is not available",
        "Requested more tasks than available processors",
        "Task count specification invalid",
        "CPU count specification invalid",
        "Memory required by task is not available",
        "Cannot request more threads per core than the job allocation",
        "No suitable topology unit found",
        "No suitable topology unit found for segment",
        "Exceeded maximum node limit during topology allocation",
        "Immediate execution impossible, insufficient priority",
        "Immediate execution impossible, resources too fragmented for allocation",
    ),
    _TIME: ("Requested time limit is invalid (missing or exceeds some limit)",),
    "set 'walltime'": ("Time limit specification required, but not provided",),
    _GPUS: (
        "Invalid generic resource (gres) specification",
        "Duplicate generic resource (gres) specification",
        "Invalid GRES specification (with and without type identification)",
        "Requested GRES option unsupported by configured SelectType plugin",
        "Insufficient GRES available in allocation",
        "RestrictedCoresPerGPU: Not enough unique cores per GPU",
        "RestrictedCoresPerGPU: Missing core topology for GPUs",
        "RestrictedCoresPerGPU: No GPUs configured on node",
    ),
    _FEATURE: (
        "Invalid feature specification",
        "Invalid preferred feature specification",
        "Invalid extra constraints specification",
        "Job --batch option is invalid or not a subset of --constraint",
        "Job --batch option is invalid or not a subset of --constraints",
        "Multiple KNL NUMA and/or MCDRAM constraints require use of a heterogeneous job",
        "Invalid KNL configuration (MCDRAM or NUMA option)",
    ),
    _RESERVATION: (
        "Access denied to requested reservation",
        "Requested reservation is invalid",
    ),
    "correct 'licenses'": ("Invalid license specification",),
    "correct 'exclude', or the node names in the options under 'sbatch'": ("Invalid node name specified",),
    "lower 'array' in the 'mtui' block": ("Invalid job array specification",),
    "shorten the step's description, its name or the paths": (
        "Pathname of a file, directory or other parameter too long",
    ),
    "correct 'dependency'": ("Circular job dependency",),
    _OPTION: (
        "Invalid wckey specification",
        "Invalid mcs_label specified",
        "Invalid Trackable RESource (TRES) specification",
        "Invalid --nice value",
        "Invalid time specified",
        "Invalid time-min specification (exceeds job's time or other limits)",
        "Task distribution specification invalid",
        "Current SwitchType does not permit arbitrary task distribution",
        "Burst Buffer permission denied",
        "Burst Buffer resource limit exceeded",
        "Burst Buffer request invalid",
        "X11 forwarding not available",
        "Requested operation not supported on this system",
        "Invalid cluster name",
        "Invalid cluster feature specification",
        "No eligible clusters for federated job",
        "Not a valid federated job",
        "Invalid accounting frequency requested",
        "Container support is not configured",
        "Container runtime not configured or invalid",
        "Invalid container id specified",
        "Requires more ports than can be reserved",
        "Duplicate job id",
        "Invalid job id specified",
        "Invalid configuration for external job",
        "Preemption is required but is disabled on this system",
        "Job cannot be submitted without the current working directory specified.",
        "Job script not specified",
        "Environment is missing in job",
        "Only batch jobs are accepted or processed",
    ),
    _SITE: (
        "Rejecting authentication of user nobody or group nobody",
        "Argument list too long",
    ),
}

ERRORS: dict[str, SubmitError] = {
    **{text: SubmitError(error_class) for error_class, texts in _OF_CLASS.items() for text in texts},
    **{text: SubmitError(ErrorClass.PERMANENT, hint) for hint, texts in _PERMANENT.items() for text in texts},
}
UNLISTED = SubmitError(ErrorClass.UNKNOWN)

# A reason is one word. The first group counts jobs: it passes when jobs of the user or account end.
_REASON = re.compile(r"(QOS|Assoc|Max|Min|Grp|Association|Account)[A-Z]\w*|AccountingPolicy")
_JOB_COUNT = re.compile(r"\w*Submit\w*|\w*(Max|Grp)Jobs\w*|AssociationJobLimit|QOSJobLimit|AccountingPolicy")
_REASON_HINTS: tuple[tuple[re.Pattern[str], str], ...] = (  # the first one that matches
    (re.compile(r"QOSMin\w*"), "request what the QOS demands at least, or choose another 'qos'"),
    (re.compile(r"\w*Minutes\w*"), "request less 'walltime' or fewer resources, or choose another 'bank' or 'qos'"),
    (re.compile(r"\w*(Wall|Time)\w*"), _TIME),
    (re.compile(r"\w*Mem\w*"), "lower 'mem' or 'mem per cpu', or choose another 'qos' or 'queue'"),
    (re.compile(r"\w*Cpu\w*", re.IGNORECASE), "lower 'procs' or 'cores per task', or choose another 'qos' or 'queue'"),
    (re.compile(r"\w*Node\w*"), "lower 'nodes', or choose another 'qos' or 'queue'"),
    (re.compile(r"\w*GRES\w*"), "request fewer 'gpus', or choose another 'qos' or 'queue'"),
    (re.compile(r"\w*Licen[sc]e\w*"), "request fewer 'licenses'"),
    (re.compile(r"\w*"), "request fewer resources, or choose another 'qos' or 'bank'"),
)

# Lines of Slurm's library, of plugins and of sbatch that are not the words of a site's job_submit plugin.
_NO_SITE_TEXT = re.compile(r"(spank|_?slurm_\w+|_\w+|[sp]_p_\w+|plugin_\w+): .*|Slurm temporarily unable .*")
# Lines of Slurm's library, whole, without "sbatch: error: ": nothing was sent.
_NOT_SENT = re.compile(
    r"Could not establish a configuration source"
    r"|Unable to process configuration file"
    r"|ClusterName needs to be specified"
    r"|_?establish_config_source: failed to fetch config"
    r"|fetch_config: DNS SRV lookup failed"
    r"|\w*_ctls_from_dns_srv: .*"
    r"|s_p_parse_file: (cannot|unable to) .*"
    r"|Unable to establish control(ler)? machine address"
    r"|slurm_set_addr: Unable to resolve \S+"
    r'|Unable to resolve "\S+": .*'
    r"|get_addr_info: getaddrinfo\(\) f[Aa]iled: .*"
    r"|If munged is up, restart with .*"
    r"|Munge encode failed: .*"
    r"|\w+: auth_g_(create|pack)\w*: .* has authentication error"
    r"|\w+: (Failed to|Unable to|failed to) (create|initialize) auth.*"
    r"|((F|f)ailed|Unable|unable) to initialize auth plugin"
    r"|cannot create auth context for \S+"
    r"|(cannot|can't) find auth plugin for \S+"
    r"|(C|c)ouldn't find the specified plugin name for \S+ looking at all files"
)


def submit_error(text: str, lines: Iterable[str]) -> SubmitError | None:
    """Return what the error `text` of sbatch means; `lines` are the other lines that sbatch printed, without prefixes.

    A site's job_submit plugin prints its own words as lines of sbatch: only those that are Slurm's own, as a whole,
    count. None: no text and no reason.
    """
    found = ERRORS.get(text, UNLISTED)
    own = list(lines)
    reasons = [line for line in own if _REASON.fullmatch(line)]
    if not text and not reasons:
        return None
    match found.error_class:
        case ErrorClass.POLICY:
            return _by_reason(reasons)
        case ErrorClass.UNKNOWN if reasons:
            return _by_reason(reasons)
        case ErrorClass.UNKNOWN | ErrorClass.SILENCE if was_not_sent(own):
            return SubmitError(ErrorClass.OUTAGE)
        case ErrorClass.UNKNOWN if text == "Unspecified error" and not all(map(_NO_SITE_TEXT.fullmatch, own)):
            return SubmitError(ErrorClass.PERMANENT, "the site's rules refuse the job: change what its message says")
        case _:
            return found


def was_not_sent(lines: Iterable[str]) -> bool:
    """Return whether lines of sbatch, without prefixes, show that nothing reached the controller."""
    return any(_NOT_SENT.fullmatch(line) for line in lines)


def _by_reason(reasons: list[str]) -> SubmitError:
    """Return what a violated policy means; without a reason (before 20.11, or a hidden one) it may be a job count."""
    for reason in reasons:
        if not _JOB_COUNT.fullmatch(reason):
            hint = next(hint for pattern, hint in _REASON_HINTS if pattern.fullmatch(reason))
            return SubmitError(ErrorClass.PERMANENT, hint)
    return SubmitError(ErrorClass.LIMIT)
