"""Your own documents: read a folder, search it, answer from it with the exact place."""

from .assistant import FolderAnswer, FolderAssistant, Source, ask_folder
from .index import FolderIndex
from .measure import Row, highest_threshold, measure, rubric
from .reading import Notice, Reading, read_folder
from .texts import FilePassage, FileText, Place, cut

__all__ = [
    "FilePassage",
    "FileText",
    "FolderAnswer",
    "FolderAssistant",
    "FolderIndex",
    "Notice",
    "Place",
    "Reading",
    "Row",
    "Source",
    "ask_folder",
    "cut",
    "highest_threshold",
    "measure",
    "read_folder",
    "rubric",
]
