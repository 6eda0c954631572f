"""Types of the MagnetMail contract, members in wire order and with wire names; one module for each theme."""

# ruff: noqa: F403 - the package is the sum of its modules

from soapstone.magnetmail.types.errors import *
from soapstone.magnetmail.types.events import *
from soapstone.magnetmail.types.groups import *
from soapstone.magnetmail.types.history import *
from soapstone.magnetmail.types.messages import *
from soapstone.magnetmail.types.recipients import *
from soapstone.magnetmail.types.searches import *
from soapstone.magnetmail.types.sends import *
from soapstone.magnetmail.types.sessions import *
from soapstone.magnetmail.types.tracking import *
from soapstone.magnetmail.types.unsubscribes import *
from soapstone.magnetmail.types.uploads import *
