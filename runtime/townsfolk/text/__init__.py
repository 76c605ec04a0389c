"""Text in and out of tokens: tokenizer, incremental detokenizer, stop strings, sentences.

A leaf room: it imports nothing else of the project and no torch.
"""

from townsfolk.text.detokenizer import Detokenizer
from townsfolk.text.sentences import SentenceSplitter
from townsfolk.text.stop import StopScanner
from townsfolk.text.tokenizer import Tokenizer, TokenizerError

__all__ = ["Detokenizer", "SentenceSplitter", "StopScanner", "Tokenizer", "TokenizerError"]
