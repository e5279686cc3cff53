"""The states of an instance, and the table of transitions.

    waiting -> ready -> submitting -> pending -> running -> finished
       \\-> submitting -> bound -------/            \\-> failed, timed out, ... -> (its dependents) blocked

An instance whose parents all have jobs in Slurm may be submitted ahead of their ends, bound to those jobs. `apply` in
state.py checks this table before every change; a change that is not in it is an anomaly, which is written to the
journal and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Impossible(ValueError):
    """An event that the present state does not allow; nothing was changed."""


class Status(Enum):
    """The state of an instance. The value is the word that users and journals read."""

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is slow, and a replay needs millions

    WAITING = "waiting"  # for its parents
    READY = "ready"  # for a slot: throttle, local jobs, Slurm's submit limit
    HELD = "held"  # by command, until it is released
    SUBMITTING = "submitting"  # intent is on disk, no answer yet
    UNCLEAR = "unclear"  # no usable answer: may or may not be in Slurm; being looked up
    BOUND = "bound"  # in Slurm's queue, waiting for the jobs of its parents
    PENDING = "pending"  # in Slurm's queue
    CONFIGURING = "configuring"  # nodes are being prepared
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETING = "completing"  # the script has ended, Slurm cleans up
    REQUEUED = "requeued"  # put back into the queue by Slurm
    FINISHED = "finished"
    SKIPPED = "skipped"  # not to be run; counts as finished for its dependents
    FAILED = "failed"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    NODE_FAILED = "node failed"
    PREEMPTED = "preempted"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    LOST = "lost"  # gone without a report from Slurm or the job
    BLOCKED = "blocked"  # a parent failed


IN_SLURM = frozenset(
    {
        Status.BOUND,
        Status.PENDING,
        Status.CONFIGURING,
        Status.RUNNING,
        Status.SUSPENDED,
        Status.COMPLETING,
        Status.REQUEUED,
    }
)
LIVE = IN_SLURM | {Status.SUBMITTING, Status.UNCLEAR}  # something outside may be running for it
UNSUCCESSFUL = frozenset(
    {
        Status.FAILED,
        Status.TIMED_OUT,
        Status.OUT_OF_MEMORY,
        Status.NODE_FAILED,
        Status.PREEMPTED,
        Status.DEADLINE,
        Status.CANCELLED,
        Status.LOST,
    }
)
BAD = UNSUCCESSFUL | {Status.BLOCKED}  # blocks dependents
DONE = frozenset({Status.FINISHED, Status.SKIPPED})  # lets dependents start
OVER = BAD | DONE


class Verb(Enum):
    """What happens to an instance; the rows of the table."""

    UNLOCK = "parents are done"
    RELOCK = "a parent will run again"
    BLOCK = "a parent failed"
    UNBLOCK = "the failed parent is retried"
    HOLD = "held by command"
    RELEASE = "released by command"
    CANCEL = "cancelled by command before it was submitted"
    RETRY = "retried"
    MARK = "marked by command as done or skipped"
    ADD = "its row was added to the study"
    FREE = "the jobs that it depends on are done"
    UNBIND = "withdrawn from Slurm's queue before it started"
    RETURN = "its allocation ended before it did"
    INTEND = "submission intended"
    ACCEPT = "submission accepted"
    DEFER = "submission deferred by a limit"
    DOUBT = "no usable answer to the submission"
    MISS = "the unclear submission did not reach Slurm"
    REFUSE = "submission refused"
    OBSERVE = "seen in Slurm or reported by the job"
    END = "the attempt ended"
    REOPEN = "the attempt counted as lost, and its job reported later"


@dataclass(frozen=True, slots=True)
class TransitionRule:
    """The states from which a verb is possible, and the states it leads to."""

    sources: frozenset[Status]
    targets: frozenset[Status]


def _rule(sources: frozenset[Status] | set[Status], *targets: Status) -> TransitionRule:
    return TransitionRule(frozenset(sources), frozenset(targets))


_UNSUBMITTED = (Status.WAITING, Status.READY, Status.BLOCKED)  # depending on the present state of its parents

TABLE: dict[Verb, TransitionRule] = {
    Verb.UNLOCK: _rule({Status.WAITING}, Status.READY),
    Verb.RELOCK: _rule({Status.READY}, Status.WAITING),
    Verb.BLOCK: _rule({Status.WAITING, Status.READY, Status.HELD}, Status.BLOCKED),
    Verb.UNBLOCK: _rule({Status.BLOCKED}, Status.WAITING, Status.HELD),
    Verb.HOLD: _rule({Status.WAITING, Status.READY}, Status.HELD),
    Verb.RELEASE: _rule({Status.HELD}, Status.WAITING),
    Verb.CANCEL: _rule({Status.WAITING, Status.READY, Status.HELD}, Status.CANCELLED),
    Verb.RETRY: _rule(UNSUCCESSFUL | DONE, Status.WAITING),
    Verb.MARK: _rule({*_UNSUBMITTED, Status.HELD, Status.SKIPPED, *UNSUCCESSFUL}, Status.FINISHED, Status.SKIPPED),
    Verb.ADD: _rule({Status.SKIPPED}, Status.WAITING),
    Verb.FREE: _rule({Status.BOUND}, Status.PENDING),
    Verb.UNBIND: _rule({Status.BOUND, Status.PENDING}, *_UNSUBMITTED, Status.HELD, Status.CANCELLED),
    Verb.RETURN: _rule(LIVE, *_UNSUBMITTED, Status.HELD, Status.CANCELLED),
    Verb.INTEND: _rule({Status.READY, Status.WAITING}, Status.SUBMITTING),
    Verb.ACCEPT: _rule({Status.SUBMITTING, Status.UNCLEAR}, Status.BOUND, Status.PENDING, Status.RUNNING),
    Verb.DEFER: _rule({Status.SUBMITTING}, *_UNSUBMITTED),
    Verb.DOUBT: _rule({Status.SUBMITTING}, Status.UNCLEAR),
    Verb.MISS: _rule({Status.UNCLEAR}, *_UNSUBMITTED),
    Verb.REFUSE: _rule({Status.SUBMITTING, Status.UNCLEAR}, Status.FAILED),
    # A job's own report may arrive before sbatch's answer, so the unanswered states count as sources; and a job whose
    # submission counted as missed may still start while its instance waits to be submitted again.
    Verb.OBSERVE: TransitionRule(LIVE | {Status.WAITING, Status.READY, Status.HELD}, IN_SLURM),
    Verb.REOPEN: _rule({Status.READY, Status.HELD, Status.LOST}, Status.RUNNING),
    Verb.END: TransitionRule(LIVE, UNSUCCESSFUL | {Status.FINISHED}),
}


def allowed(verb: Verb, source: Status, target: Status) -> bool:
    """Whether the table allows this change."""
    rule = TABLE[verb]
    return source in rule.sources and target in rule.targets
