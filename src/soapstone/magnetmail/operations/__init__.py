"""Operations of the MagnetMail contract: requests and answers, one module for each theme, and the contract itself."""

# ruff: noqa: F403 - the package is the sum of its modules

from soapstone.magnetmail.operations.contract import *
from soapstone.magnetmail.operations.events import *
from soapstone.magnetmail.operations.groups import *
from soapstone.magnetmail.operations.messages import *
from soapstone.magnetmail.operations.recipients import *
from soapstone.magnetmail.operations.sends import *
from soapstone.magnetmail.operations.sessions import *
from soapstone.magnetmail.operations.tracking import *
from soapstone.magnetmail.operations.unsubscribes import *
from soapstone.magnetmail.operations.uploads import *
