"""Grade the corpus as whoever runs this: LEVEL FOLDER GRADEBOOK."""

import sys
from pathlib import Path

from classroom import options

from course_lib.grading.grade import grade_folder
from course_lib.grading.reports import folder_of

if __name__ == "__main__":
    level, folder, book = sys.argv[1:]
    grade_folder(Path(folder), folder_of(Path(book)), options(level))
