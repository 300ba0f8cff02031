"""Which of the settings mattered, by how much of the outcome each of them explains."""

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

# With fewer, the forest behind it finds importance in noise.
LEAST_COMPLETE = 10


def importances(study: optuna.Study) -> dict[str, float] | None:
    """Return each setting's share of the variance, largest first; None where too few trials tell.

    Only trials that were trained to their end count; the same ones give the same bits.
    Source: Hutter et al. 2014, "An Efficient Approach for Assessing Hyperparameter Importance".
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < LEAST_COMPLETE or len({trial.value for trial in complete}) == 1:
        return None
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
