"""What generated compounds are like beside a reference: the metrics of MOSES and of GuacaMol."""
