"""What runs an experiment, which is data: settings, pieces of work, tables, figures, verdicts."""
