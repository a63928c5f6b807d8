# Les organisations d’une personne.
organizations-title = Mes organisations
organizations-offers = Invitations
organizations-offers-lead = Ces organisations vous invitent à les rejoindre. Vous n’y êtes rattaché que si vous acceptez.
organizations-offer-member = Vous rejoindriez cette organisation comme membre. Ses administrateurs verraient votre nom, votre identifiant et votre adresse.
organizations-offer-administrator = Vous rejoindriez cette organisation comme administrateur. Ses administrateurs verraient votre nom, votre identifiant et votre adresse.
organizations-until = À accepter avant le
organizations-accept = Rejoindre
organizations-decline = Refuser
organizations-mine = Mes rattachements
organizations-none = Vous n’êtes rattaché à aucune organisation.
organizations-administrator = administrateur
organizations-joined = Vous avez rejoint l’organisation.
organizations-declined = Vous avez refusé l’invitation.
organizations-over = Cette invitation n’est plus valable.
organizations-asks = Cette organisation demande ces informations à ses membres.
organizations-seats = Demander une place
