"""Everything written for a person: whole files, tables, figures, progress bars."""
