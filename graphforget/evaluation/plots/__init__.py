"""Pictures of results, each drawn from plain records, histories, coordinates or columns."""
