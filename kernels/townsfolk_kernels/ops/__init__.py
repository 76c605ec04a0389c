"""Operations of a model: a public function each, its reference, its fast paths by device."""
