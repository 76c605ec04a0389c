"""Training: from conversations or plain text to a Llama in Hugging Face's layout."""
