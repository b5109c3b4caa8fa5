"""How good learning is on recorded events: figures, comparisons and pictures. Needs the extra
`report` (matplotlib, scikit-learn), which nothing else does."""
