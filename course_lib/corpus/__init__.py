"""The documents, the passages made from them, the exam and the tickets."""

from .chunking import Passage, chunk_document, fixed_chunks, heading_chunks, load_passages, sentence_chunks
from .documents import Document, load_documents
from .exam import Gold, Question, documents_about, find_span, gold_passages, load_exam, sample_by_type
from .facts import Fact, Probe, load_facts, load_probes
from .tickets import load_gold_tickets, load_raw_tickets

__all__ = [
    "Document",
    "Fact",
    "Gold",
    "Passage",
    "Probe",
    "Question",
    "chunk_document",
    "documents_about",
    "find_span",
    "fixed_chunks",
    "gold_passages",
    "heading_chunks",
    "load_documents",
    "load_exam",
    "load_facts",
    "load_gold_tickets",
    "load_passages",
    "load_probes",
    "load_raw_tickets",
    "sample_by_type",
    "sentence_chunks",
]
