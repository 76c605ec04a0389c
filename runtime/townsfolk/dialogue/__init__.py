"""What makes tokens into a character: persona, lore, transcript, turns and sessions."""
