"""How far a model of activity can be trusted: the domain it knows, the cliffs it falls from, and chance as a rival."""
