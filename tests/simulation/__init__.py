"""The commit protocol on a disk that loses power, runs full and fails: thousands of crashes from one seed."""
