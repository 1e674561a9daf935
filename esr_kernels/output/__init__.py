"""Output for people: atomic files, tables, figures, progress bars."""
