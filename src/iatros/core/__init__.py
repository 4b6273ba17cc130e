"""What every domain stands on: errors, splits, metrics, calibration, audit, bundles, reports."""
