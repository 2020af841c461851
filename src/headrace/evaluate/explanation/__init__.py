"""Why a model answers as it does: attribution, dependence, counterfactuals, a surrogate tree."""
