# The organizations of a person.
organizations-title = My organizations
organizations-offers = Invitations
organizations-offers-lead = These organizations invite you to join them. You belong to one only if you accept.
organizations-offer-member = You would join this organization as a member. Its administrators would see your name, your login and your address.
organizations-offer-administrator = You would join this organization as an administrator. Its administrators would see your name, your login and your address.
organizations-until = Accept by
organizations-accept = Join
organizations-decline = Decline
organizations-mine = Where I belong
organizations-none = You do not belong to any organization.
organizations-administrator = administrator
organizations-joined = You have joined the organization.
organizations-declined = You have declined the invitation.
organizations-over = This invitation is not valid any more.
organizations-asks = This organization asks its members for this information.
organizations-seats = Ask for a seat
