"""The colours of pages, pictures and reports: the palette of Okabe and Ito.

Its eight colours stay apart for people with any of the common kinds of colour blindness.
Source: M. Okabe and K. Ito, "Color Universal Design" (2008),
https://jfly.uni-koeln.de/color/.
"""

from __future__ import annotations

BLACK = "#000000"
ORANGE = "#e69f00"
SKY_BLUE = "#56b4e9"
BLUISH_GREEN = "#009e73"
YELLOW = "#f0e442"
BLUE = "#0072b2"
VERMILLION = "#d55e00"
REDDISH_PURPLE = "#cc79a7"

#: The order in which the lines of a chart take their colours. Yellow is left out, because it is
#: too pale for lines on white.
OKABE_ITO = (
    BLUE,
    VERMILLION,
    BLUISH_GREEN,
    REDDISH_PURPLE,
    ORANGE,
    SKY_BLUE,
    BLACK,
)
