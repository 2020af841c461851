"""Maintain: watch new rows, judge the deployed model, retrain, promote or take back."""
