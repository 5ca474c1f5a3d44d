"""This library and its peers, doing the same work side by side in the same run."""
