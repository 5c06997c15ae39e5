"""A local emulator of the analytics API over a made-up organization. Imports nothing of the program it feeds."""

from .api import AnalyticsApi, Answer
from .datasets import DATASETS, Counts, Dataset
from .faultkind import FaultKind
from .organization import Member, Model, Organization, Rhythm
from .scenario import Departure, Outage, Revision, Runaway, Scenario, SyncLag, SyncStop
from .server import DEFAULT_KEY, RecordedRequest, SimulatorServer
from .usage import Usage

__all__ = [
    "DATASETS",
    "DEFAULT_KEY",
    "AnalyticsApi",
    "Answer",
    "Counts",
    "Dataset",
    "Departure",
    "FaultKind",
    "Member",
    "Model",
    "Organization",
    "Outage",
    "RecordedRequest",
    "Revision",
    "Rhythm",
    "Runaway",
    "Scenario",
    "SimulatorServer",
    "SyncLag",
    "SyncStop",
    "Usage",
]
