"""An exam for any model that plays characters: its questions, their marks, its report."""
